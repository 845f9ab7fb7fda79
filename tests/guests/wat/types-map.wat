;; `echo-map: func(v: map<string, u32>) -> map<string, u32>`: the one type that Rust's linker refuses yet.
(component
  (core module $main
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 1024))
    ;; Hands out memory that is never given back: each call has a fresh instance.
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
      (local $start i32)
      (local.set $start (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $start) (local.get $new)))
      (if (i32.gt_u (global.get $top) (i32.const 131072)) (then unreachable))
      (local.get $start))
    (func (export "echo-map") (param $pointer i32) (param $length i32) (result i32)
      (i32.store (i32.const 0) (local.get $pointer))
      (i32.store (i32.const 4) (local.get $length))
      (i32.const 0)))
  (core instance $main (instantiate $main))
  (func (export "echo-map") (param "v" (map string u32)) (result (map string u32))
    (canon lift (core func $main "echo-map") (memory (core memory $main "memory")) (realloc (core func $main "realloc")))))
