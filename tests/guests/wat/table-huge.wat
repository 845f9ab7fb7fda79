;; Wants a table of 4 billion entries before it has run one instruction.
(module
  (memory (export "memory") 1)
  (table 0xffffffff funcref)
  (func (export "_start")))
