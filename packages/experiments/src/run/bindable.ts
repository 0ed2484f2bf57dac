/** Which rows bind: a method may find only there, when the prior was read, that it cannot work. */
import { bindGuidance, ConfigError, messageOf, type Engine } from '@tweedie/core';
import { checkSignal, type Watch } from '../machine/progress.ts';
import { refuseImpossible, rowOn, type PlannedRow } from '../plan/rows.ts';
import { benchesOf, type Workbench } from '../plan/workbench.ts';

/** Why the method of a row does not bind; undefined where it does. Throws what is not a ConfigError as it is. */
const refusalOf = async (
  { model }: Workbench,
  engine: Engine,
  { operator: { operator }, method: { guidance, scheduler } }: PlannedRow,
): Promise<string | undefined> => {
  try {
    (await bindGuidance(guidance, { engine, model, operator, scheduler })).dispose();
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replace(/\.$/, '');
    throw error;
  }
};

/**
 * The rows as planned, and impossible where their method refuses in `bind`. It binds those that `isAsked` names, once
 * for all noise levels, and lets go of them. Throws where the recipe does not say `impossible: skip`, before anything
 * is drawn; under `skip` any error in `bind` is that row's alone. The model is loaded.
 */
export const bindableRows = async (
  bench: Workbench,
  engine: Engine,
  rows: readonly PlannedRow[],
  { signal }: Watch,
  isAsked: (row: number) => boolean = () => true,
): Promise<readonly PlannedRow[]> => {
  const skips = bench.experiment.impossible === 'skip';
  const asked = new Map<PlannedRow['method'], Map<PlannedRow['operator'], string | undefined>>();
  const tried: PlannedRow[] = [];
  for (const [i, row] of rows.entries()) {
    if (row.impossible !== undefined || !isAsked(i)) {
      tried.push(row);
      continue;
    }
    checkSignal(signal);
    const reasons = asked.get(row.method) ?? new Map<PlannedRow['operator'], string | undefined>();
    asked.set(row.method, reasons);
    if (!reasons.has(row.operator)) {
      let reason: string | undefined;
      for (const own of benchesOf(bench))
        reason ??= await refusalOf(own, engine, rowOn(own, row)).catch((error: unknown) => {
          if (!skips && row.method.reference.floor !== true) throw error;
          return `its bind failed: ${messageOf(error)}`;
        });
      reasons.set(row.operator, reason);
    }
    const impossible = reasons.get(row.operator);
    tried.push(impossible === undefined ? row : { ...row, impossible });
  }
  refuseImpossible(bench, tried);
  return tried;
};
