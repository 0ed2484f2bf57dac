;; Random numbers as WebAssembly (see generator.ts): it has the 32 x 32 bit product that JavaScript lacks, and four lanes of it.
;; test/random.test.ts assembles this text and compares it with the bytes in generator.ts.
(module
  ;; Page 0: words, then numbers in their place. Page 1: the table of `normals`.
  (memory (export "memory") 2)

  ;; Philox 4x32-10: the 4 words of each counter (first, c1, c2, c3), (first + 1, c1, c2, c3), ..., from address 0 on.
  ;; Counters go four at a time, one to a lane; `blocks` >= 1 is rounded up to a multiple of 4.
  (func (export "philox") (param $first i32) (param $blocks i32) (param $c1 i32) (param $c2 i32) (param $c3 i32) (param $k0 i32) (param $k1 i32)
    (local $address i32) (local $round i32) (local $key0 i32) (local $key1 i32) (local $counters v128) (local $m0 v128) (local $m2 v128)
    (local $x0 v128) (local $x1 v128) (local $x2 v128) (local $x3 v128)
    (local $low0 v128) (local $high0 v128) (local $low2 v128) (local $high2 v128)
    (local.set $m0 (i32x4.splat (i32.const 0xd2511f53)))
    (local.set $m2 (i32x4.splat (i32.const 0xcd9e8d57)))
    (local.set $counters (i32x4.add (i32x4.splat (local.get $first)) (v128.const i32x4 0 1 2 3)))
    (loop $four
      (local.set $x0 (local.get $counters))
      (local.set $x1 (i32x4.splat (local.get $c1)))
      (local.set $x2 (i32x4.splat (local.get $c2)))
      (local.set $x3 (i32x4.splat (local.get $c3)))
      (local.set $key0 (local.get $k0))
      (local.set $key1 (local.get $k1))
      (local.set $round (i32.const 10))
      (loop $next
        (local.set $low0 (i64x2.extmul_low_i32x4_u (local.get $x0) (local.get $m0)))
        (local.set $high0 (i64x2.extmul_high_i32x4_u (local.get $x0) (local.get $m0)))
        (local.set $low2 (i64x2.extmul_low_i32x4_u (local.get $x2) (local.get $m2)))
        (local.set $high2 (i64x2.extmul_high_i32x4_u (local.get $x2) (local.get $m2)))
        ;; Upper halves of the products meet the other words and the key; lower halves become the other words.
        (local.set $x0 (v128.xor (v128.xor (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $low2) (local.get $high2)) (local.get $x1)) (i32x4.splat (local.get $key0))))
        (local.set $x2 (v128.xor (v128.xor (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $low0) (local.get $high0)) (local.get $x3)) (i32x4.splat (local.get $key1))))
        (local.set $x1 (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $low2) (local.get $high2)))
        (local.set $x3 (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $low0) (local.get $high0)))
        (local.set $key0 (i32.add (local.get $key0) (i32.const 0x9e3779b9)))
        (local.set $key1 (i32.add (local.get $key1) (i32.const 0xbb67ae85)))
        (br_if $next (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      ;; A lane has the words of one counter: transposed, they lie in order.
      (local.set $low0 (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $x0) (local.get $x1)))
      (local.set $high0 (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $x0) (local.get $x1)))
      (local.set $low2 (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $x2) (local.get $x3)))
      (local.set $high2 (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $x2) (local.get $x3)))
      (v128.store (local.get $address) (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $low0) (local.get $low2)))
      (v128.store offset=16 (local.get $address) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $low0) (local.get $low2)))
      (v128.store offset=32 (local.get $address) (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $high0) (local.get $high2)))
      (v128.store offset=48 (local.get $address) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $high0) (local.get $high2)))
      (local.set $address (i32.add (local.get $address) (i32.const 64)))
      (local.set $counters (i32x4.add (local.get $counters) (i32x4.splat (i32.const 4))))
      (br_if $four (i32.gt_s (local.tee $blocks (i32.sub (local.get $blocks) (i32.const 4))) (i32.const 0)))))

  ;; Words to standard normal numbers, from address 0 on, `count` >= 1 of them: the quantile at p = (word + 1/2) / 2^32, by symmetry minus
  ;; that at 1 - p above 1/2. With u = 2^33 min(p, 1 - p), an odd number of 32 bits, the table has 16 cubics for each octave of u.
  (func (export "normals") (param $count i32)
    (local $address i32) (local $end i32) (local $u i32) (local $upper i32) (local $cubic i32) (local $t f64)
    (local.set $end (i32.shl (local.get $count) (i32.const 2)))
    (loop $next
      (local.set $u (i32.load (local.get $address)))
      (local.set $upper (i32.shr_s (local.get $u) (i32.const 31)))
      (local.set $u (i32.or (i32.shl (i32.xor (local.get $u) (local.get $upper)) (i32.const 1)) (i32.const 1)))
      ;; Leading zeros give the octave; then, the leading one at the top, four bits the cubic in it and the other 27 the place t in the cubic.
      (local.set $cubic (i32.clz (local.get $u)))
      (local.set $u (i32.shl (local.get $u) (local.get $cubic)))
      (local.set $cubic (i32.shl (i32.add (i32.shl (local.get $cubic) (i32.const 4)) (i32.and (i32.shr_u (local.get $u) (i32.const 27)) (i32.const 15))) (i32.const 5)))
      (local.set $t (f64.convert_i32_s (i32.and (local.get $u) (i32.const 0x7ffffff))))
      (f32.store (local.get $address) (f32.reinterpret_i32 (i32.xor (i32.and (local.get $upper) (i32.const 0x80000000)) (i32.reinterpret_f32 (f32.demote_f64
        (f64.add (f64.mul (f64.add (f64.mul (f64.add (f64.mul
          (f64.load offset=65560 (local.get $cubic)) (local.get $t))
          (f64.load offset=65552 (local.get $cubic))) (local.get $t))
          (f64.load offset=65544 (local.get $cubic))) (local.get $t))
          (f64.load offset=65536 (local.get $cubic))))))))
      (br_if $next (i32.lt_u (local.tee $address (i32.add (local.get $address) (i32.const 4))) (local.get $end))))))
