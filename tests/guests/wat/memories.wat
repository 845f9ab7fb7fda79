;; A hundred memories, nearly all of 64 MiB, wanted before one instruction has run.
(module
  (memory (export "memory") 1)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024) (memory 1024)
  (func (export "_start")))
