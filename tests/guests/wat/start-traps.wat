;; Traps while it is being instantiated, before anybody called it.
(module
  (memory (export "memory") 1)
  (func $trap unreachable)
  (func (export "_start"))
  (start $trap))
