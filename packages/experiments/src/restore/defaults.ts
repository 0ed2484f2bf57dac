/** What `restore` takes where nothing is said. */
import type { PluginReference } from '@tweedie/core';

/** The prior of photographs that ships, through tiles, so that pictures may have any size. */
export const MODEL: PluginReference = { id: 'tiles', options: { model: 'photo' } };

export const STEPS = 30;

/** Levels from much noise to none, where few steps do. */
export const scheduleOf = (steps: number): PluginReference => ({ id: 'edm', options: { steps } });

/**
 * The scale of DPS-w, operator by operator: about that at which the misfit is 1, on crops of photographs that ship.
 * `npx tweedie compare recipes/restore-defaults.yaml` measures it, 30 levels; with weights 06a1804f3b98 it gave these
 * misfits, and PSNR in dB, on 8 crops at sigmaY 0.02:
 *
 *   scale                     1            1.5          2            3            4            8
 *   identity                  2.14  34.6   1.01  39.6   0.63  41.2   0.42  41.0   0.36  40.6   26.9  11.6
 *   inpaint, 70 % hidden      2.12  23.0   1.06  23.9   0.69  24.2   0.45  24.3   0.37  24.4   16.2  18.7
 *   super-resolution x4       9.51  18.3   6.08  20.3   4.20  21.4   2.42  22.3   1.58  22.5   0.53  22.6
 *   super-resolution x2       3.91  24.2   2.32  25.8   1.68  26.2   1.06  26.5   0.75  26.6   0.34  26.4
 *   blur, Gaussian of std 2   2.39  21.7   1.83  22.2   1.56  22.5   1.31  22.8   1.21  23.0   6.66   9.9
 *   colorize                  6.15  15.2   3.88  15.8   2.69  16.1   1.42  16.4   0.79  16.6   0.16  16.9
 */
const SCALES: Readonly<Record<string, number>> = {
  identity: 1.5,
  inpaint: 1.5,
  'super-resolution': 4,
  blur: 4,
  colorize: 3,
};

/** DPS-w, with the scale that fits measurements of the operator. */
export const methodFor = (operator: string): PluginReference => {
  const scale = SCALES[operator];
  return { id: 'dps-w', ...(scale === undefined ? {} : { options: { scale } }) };
};

/** A grey picture is one measurement of grey, not three with noise of their own. */
export const operatorOf = ({ id, options = {} }: PluginReference): PluginReference =>
  id === 'colorize' ? { id, options: { channels: 1, ...options } } : { id, options };
