/** What `restore` takes where nothing is said. */
import type { PluginReference } from '@tweedie/core';

/** The prior of photographs that ships, through tiles, so that pictures may have any size. */
export const MODEL: PluginReference = { id: 'tiles', options: { model: 'photo' } };

export const STEPS = 30;

/** Levels from much noise to none, where few steps do. */
export const scheduleOf = (steps: number): PluginReference => ({ id: 'edm', options: { steps } });

/**
 * The scale of DPS-w, operator by operator: about that at which the misfit is 1, on crops of photographs that ship.
 * `npx tweedie compare recipes/restore-defaults.yaml` measures it, 30 levels; with weights ce3084502834 it gave these
 * misfits, and PSNR in dB, on 8 crops at sigmaY 0.02:
 *
 *   scale                     1            1.5          2            3            4            8
 *   identity                  2.09  34.3   1.04  40.1   0.72  41.7   0.50  41.7   0.39  41.3   26.9  11.6
 *   inpaint, 70 % hidden      2.42  23.7   1.27  24.7   0.88  25.0   0.60  25.2   0.46  25.2   16.9  18.7
 *   super-resolution x4       9.64  18.2   6.14  20.3   4.22  21.6   2.37  22.6   1.54  22.9   0.57  23.0
 *   super-resolution x2       4.09  24.3   2.54  25.9   1.76  26.6   1.07  27.1   0.78  27.1   0.39  27.0
 *   blur, Gaussian of std 2   2.33  21.9   1.76  22.5   1.52  22.8   1.30  23.1   1.19  23.3   9.87  10.4
 *   colorize                  6.53  15.0   4.22  15.5   3.00  15.9   1.73  16.3   1.06  16.5   0.24  16.8
 */
const SCALES: Readonly<Record<string, number>> = {
  identity: 1.5,
  inpaint: 2,
  'super-resolution': 4,
  blur: 4,
  colorize: 4,
};

/** DPS-w, with the scale that fits measurements of the operator. */
export const methodFor = (operator: string): PluginReference => {
  const scale = SCALES[operator];
  return { id: 'dps-w', ...(scale === undefined ? {} : { options: { scale } }) };
};

/** A grey picture is one measurement of grey, not three with noise of their own. */
export const operatorOf = ({ id, options = {} }: PluginReference): PluginReference =>
  id === 'colorize' ? { id, options: { channels: 1, ...options } } : { id, options };
