/** What `restore` takes where nothing is said. */
import type { PluginReference } from '@tweedie/core';

/** The prior of photographs that ships, through tiles, so that pictures may have any size. */
export const MODEL: PluginReference = { id: 'tiles', options: { model: 'photo' } };

export const STEPS = 30;

/** Levels from much noise to none, where few steps do. */
export const scheduleOf = (steps: number): PluginReference => ({ id: 'edm', options: { steps } });

/**
 * The scale of DPS-w, operator by operator: that at which the misfit is nearest to 1.
 */
const SCALES: Readonly<Record<string, number>> = { 'super-resolution': 4 };

/** DPS-w, with the scale that fits measurements of the operator. */
export const methodFor = (operator: string): PluginReference => {
  const scale = SCALES[operator];
  return { id: 'dps-w', ...(scale === undefined ? {} : { options: { scale } }) };
};

/** A grey picture is one measurement of grey, not three with noise of their own. */
export const operatorOf = ({ id, options = {} }: PluginReference): PluginReference =>
  id === 'colorize' ? { id, options: { channels: 1, ...options } } : { id, options };
