;; A function that takes a stream: a part of the component model that writ leaves off.
(component
  (type $bytes (stream u8))
  (core module $main (func (export "f") (param i32)))
  (core instance $main (instantiate $main))
  (func (export "drain") (param "v" $bytes) (canon lift (core func $main "f"))))
