/**
 * The one place where TensorFlow.js is set up: the plain `cpu` backend, the gradients of all kernels, and the chained
 * methods (`x.sub(y)`) that the project's code uses. Everything else imports `tf` from `@tweedie/core`.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
// In Node the gradients are only reachable in a form Node can load through the bundle of tfjs-layers,
// which registers them for the one shared engine; tfjs-core/dist/register_all_gradients has imports that Node refuses.
import '@tensorflow/tfjs-layers';
import './chained.ts';
import './corrected-gradients.ts';

// tfjs advises, on standard error, to install its native binding; our engines make that advice wrong.
const cpu = tf.findBackend('cpu') as { firstUse?: boolean };
cpu.firstUse = false;
void tf.setBackend('cpu');

export { tf };
