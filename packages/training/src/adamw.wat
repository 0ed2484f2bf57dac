;; AdamW on four numbers at once (see adamw.ts). test/adamw.test.ts assembles this text and compares it with the bytes in adamw.ts.
(module
  ;; A page each, from 0 on: gradients, their running means, those of their squares, weights, averaged weights.
  (memory (export "memory") 5)

  ;; The sum of the squares of the first `count` >= 1 gradients, rounded up to a multiple of 4.
  (func (export "squares") (param $count i32) (result f64)
    (local $at i32) (local $x v128) (local $low v128) (local $high v128) (local $even v128) (local $odd v128)
    (local.set $count (i32.shl (local.get $count) (i32.const 2)))
    (loop $next
      (local.set $x (v128.load (local.get $at)))
      (local.set $low (f64x2.promote_low_f32x4 (local.get $x)))
      (local.set $high (f64x2.promote_low_f32x4 (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $x) (local.get $x))))
      (local.set $even (f64x2.add (local.get $even) (f64x2.mul (local.get $low) (local.get $low))))
      (local.set $odd (f64x2.add (local.get $odd) (f64x2.mul (local.get $high) (local.get $high))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $count))))
    (local.set $even (f64x2.add (local.get $even) (local.get $odd)))
    (f64.add (f64x2.extract_lane 0 (local.get $even)) (f64x2.extract_lane 1 (local.get $even))))

  ;; A step of the first `count` >= 1 numbers, rounded up to a multiple of 4, in place:
  ;;   g = scale g, m = b1 m + c1 g, v = b2 v + c2 g^2, w = shrink w - step m / (unbias sqrt(v) + epsilon), ema = ema + taken (w - ema)
  (func (export "step") (param $count i32) (param $scale f32) (param $b1 f32) (param $c1 f32) (param $b2 f32) (param $c2 f32)
    (param $step f32) (param $unbias f32) (param $epsilon f32) (param $shrink f32) (param $taken f32)
    (local $at i32) (local $g v128) (local $m v128) (local $v v128) (local $w v128) (local $ema v128)
    (local.set $count (i32.shl (local.get $count) (i32.const 2)))
    (loop $next
      (local.set $g (f32x4.mul (v128.load (local.get $at)) (f32x4.splat (local.get $scale))))
      (local.set $m (f32x4.add
        (f32x4.mul (v128.load offset=65536 (local.get $at)) (f32x4.splat (local.get $b1)))
        (f32x4.mul (local.get $g) (f32x4.splat (local.get $c1)))))
      (local.set $v (f32x4.add
        (f32x4.mul (v128.load offset=131072 (local.get $at)) (f32x4.splat (local.get $b2)))
        (f32x4.mul (f32x4.mul (local.get $g) (local.get $g)) (f32x4.splat (local.get $c2)))))
      (local.set $w (f32x4.sub
        (f32x4.mul (v128.load offset=196608 (local.get $at)) (f32x4.splat (local.get $shrink)))
        (f32x4.div
          (f32x4.mul (local.get $m) (f32x4.splat (local.get $step)))
          (f32x4.add (f32x4.mul (f32x4.sqrt (local.get $v)) (f32x4.splat (local.get $unbias))) (f32x4.splat (local.get $epsilon))))))
      (local.set $ema (v128.load offset=262144 (local.get $at)))
      (v128.store offset=65536 (local.get $at) (local.get $m))
      (v128.store offset=131072 (local.get $at) (local.get $v))
      (v128.store offset=196608 (local.get $at) (local.get $w))
      (v128.store offset=262144 (local.get $at)
        (f32x4.add (local.get $ema) (f32x4.mul (f32x4.sub (local.get $w) (local.get $ema)) (f32x4.splat (local.get $taken)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $count))))))
