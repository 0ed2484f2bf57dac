;; Philox 4x32-10 (see philox.ts) as WebAssembly, which has the 32 x 32 bit product that JavaScript lacks: three to four times as fast.
;; test/random.test.ts assembles this text and compares it with the bytes in philox.ts.
(module
  (memory (export "memory") 1)
  ;; Writes the 4 words of each of `blocks` >= 1 counters (first, c1, c2, c3), (first + 1, c1, c2, c3), ... from address 0 on.
  (func (export "fill") (param $first i32) (param $blocks i32) (param $c1 i32) (param $c2 i32) (param $c3 i32) (param $k0 i32) (param $k1 i32)
    (local $address i32) (local $round i32) (local $key0 i32) (local $key1 i32)
    (local $x0 i64) (local $x1 i32) (local $x2 i64) (local $x3 i32) (local $product0 i64) (local $product2 i64)
    (loop $block
      (local.set $x0 (i64.extend_i32_u (local.get $first)))
      (local.set $x1 (local.get $c1))
      (local.set $x2 (i64.extend_i32_u (local.get $c2)))
      (local.set $x3 (local.get $c3))
      (local.set $key0 (local.get $k0))
      (local.set $key1 (local.get $k1))
      (local.set $round (i32.const 10))
      (loop $next
        (local.set $product0 (i64.mul (local.get $x0) (i64.const 0xd2511f53)))
        (local.set $product2 (i64.mul (local.get $x2) (i64.const 0xcd9e8d57)))
        ;; Upper halves meet the other words and the key; lower halves become the other words.
        (local.set $x0 (i64.extend_i32_u (i32.xor (i32.xor (i32.wrap_i64 (i64.shr_u (local.get $product2) (i64.const 32))) (local.get $x1)) (local.get $key0))))
        (local.set $x2 (i64.extend_i32_u (i32.xor (i32.xor (i32.wrap_i64 (i64.shr_u (local.get $product0) (i64.const 32))) (local.get $x3)) (local.get $key1))))
        (local.set $x1 (i32.wrap_i64 (local.get $product2)))
        (local.set $x3 (i32.wrap_i64 (local.get $product0)))
        (local.set $key0 (i32.add (local.get $key0) (i32.const 0x9e3779b9)))
        (local.set $key1 (i32.add (local.get $key1) (i32.const 0xbb67ae85)))
        (br_if $next (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      (i32.store (local.get $address) (i32.wrap_i64 (local.get $x0)))
      (i32.store offset=4 (local.get $address) (local.get $x1))
      (i32.store offset=8 (local.get $address) (i32.wrap_i64 (local.get $x2)))
      (i32.store offset=12 (local.get $address) (local.get $x3))
      (local.set $address (i32.add (local.get $address) (i32.const 16)))
      (local.set $first (i32.add (local.get $first) (i32.const 1)))
      (br_if $block (local.tee $blocks (i32.sub (local.get $blocks) (i32.const 1)))))))
