;; Well formed and not valid: the function promises a number and returns none.
(module
  (memory (export "memory") 1)
  (func (export "_start") (result i32)))
