;; Grows a table until it is refused; then prints "refused\n" and exits 0.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table $table 0 funcref)
  (data (i32.const 16) "refused\n")
  (func (export "_start")
    (loop $again
      (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 65536)) (i32.const -1))))
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 8))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
