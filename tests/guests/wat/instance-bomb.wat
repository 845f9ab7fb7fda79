;; A few hundred bytes that become ten thousand instances: ten in each of four layers.
(component
  (component $a
    (core module $module (memory 1) (table 10 funcref))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module))
    (core instance (instantiate $module)) (core instance (instantiate $module)))
  (component $b
    (alias outer 1 $a (component $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)))
  (component $c
    (alias outer 1 $b (component $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)) (instance (instantiate $inner)) (instance (instantiate $inner))
    (instance (instantiate $inner)))
  (instance (instantiate $c)) (instance (instantiate $c)) (instance (instantiate $c))
  (instance (instantiate $c)) (instance (instantiate $c)) (instance (instantiate $c))
  (instance (instantiate $c)) (instance (instantiate $c)) (instance (instantiate $c))
  (instance (instantiate $c))
  (core module $main (func (export "f")))
  (core instance $main (instantiate $main))
  (func (export "nothing") (canon lift (core func $main "f"))))
