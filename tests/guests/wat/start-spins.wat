;; Spins while it is being instantiated, before anybody called it.
(module
  (memory (export "memory") 1)
  (func $spin (loop $again (br $again)))
  (func (export "_start"))
  (start $spin))
