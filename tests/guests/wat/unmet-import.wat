;; A component with an import that nothing provides.
(component
  (import "acme:db/query@1.0.0" (instance $db
    (export "run" (func (param "sql" string) (result string)))))
  (core module $main (func (export "f")))
  (core instance $main (instantiate $main))
  (func (export "nothing") (canon lift (core func $main "f"))))
