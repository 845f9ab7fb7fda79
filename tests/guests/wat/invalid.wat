;; Well formed and not valid: a function promises a number and returns none.
(module
  (memory (export "memory") 1)
  (func (export "_start"))
  (func (export "promise") (result i32)))
