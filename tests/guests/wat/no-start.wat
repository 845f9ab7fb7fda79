;; A core module without `_start`: a library, nothing that could be run.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
  (memory (export "memory") 1)
  (func (export "main")))
