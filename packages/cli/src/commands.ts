import { Bench } from './commands/bench.ts';
import { Cancel } from './commands/cancel.ts';
import { Check } from './commands/check.ts';
import { Checkpoint } from './commands/checkpoint.ts';
import { Cite } from './commands/cite.ts';
import { Compare } from './commands/compare.ts';
import { Doctor } from './commands/doctor.ts';
import { Explain } from './commands/explain.ts';
import { Export } from './commands/export.ts';
import { Fetch } from './commands/fetch.ts';
import { Fit } from './commands/fit.ts';
import { Info } from './commands/info.ts';
import { List } from './commands/list.ts';
import { Merge } from './commands/merge.ts';
import { New } from './commands/new.ts';
import { Picture } from './commands/picture.ts';
import { Plan } from './commands/plan.ts';
import { Plugins } from './commands/plugins.ts';
import { Problems } from './commands/problems.ts';
import { Report } from './commands/report.ts';
import { Restore } from './commands/restore.ts';
import { Run } from './commands/run.ts';
import { Schema } from './commands/schema.ts';
import { Slurm } from './commands/slurm.ts';
import { Status } from './commands/status.ts';
import { Train } from './commands/train.ts';
import { Tune } from './commands/tune.ts';
import { Work } from './commands/work.ts';

/** The commands by name. Each imports what is heavy only when it runs, so that help and listing start at once. */
export const commands = {
  bench: Bench,
  cancel: Cancel,
  check: Check,
  checkpoint: Checkpoint,
  cite: Cite,
  compare: Compare,
  doctor: Doctor,
  explain: Explain,
  export: Export,
  fetch: Fetch,
  fit: Fit,
  info: Info,
  list: List,
  merge: Merge,
  new: New,
  picture: Picture,
  plan: Plan,
  plugins: Plugins,
  problems: Problems,
  report: Report,
  restore: Restore,
  run: Run,
  schema: Schema,
  slurm: Slurm,
  status: Status,
  train: Train,
  tune: Tune,
  work: Work,
};
