;; Wants 4 GiB before it has run one instruction.
(module
  (memory (export "memory") 65536)
  (func (export "_start")))
