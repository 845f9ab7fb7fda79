;; A component whose import has a name of WASI and a type of its own.
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (param "seed" string) (result string)))))
  (core module $main (func (export "f")))
  (core instance $main (instantiate $main))
  (func (export "nothing") (canon lift (core func $main "f"))))
