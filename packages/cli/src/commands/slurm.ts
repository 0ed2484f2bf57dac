import { Args, Command, Flags } from '@oclif/core';
import { overrideFlags, overridesOf } from '../override-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie slurm` writes the job files that draw a recipe on a Slurm cluster. */
export class Slurm extends Command {
  static override summary =
    'Write the files that draw a recipe on a Slurm cluster: a job array of shards, and a job that merges them.';
  static override description =
    'Nothing is submitted. Every task draws a shard (compare --shard), is put back into the queue a minute before its time limit, and keeps what has finished. Submitted again, the same file draws what is missing. See docs/many-machines.md.';
  static override examples = [
    '<%= config.bin %> slurm recipes/methods.yaml --out runs/methods',
    '<%= config.bin %> slurm my.yaml --tasks 16 --cpus 8 --time 12:00:00',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }) };
  static override flags = {
    ...overrideFlags,
    out: Flags.string({ char: 'o', helpValue: 'FOLDER', description: 'Run folder of the whole run.' }),
    tasks: Flags.integer({
      min: 1,
      helpValue: 'N',
      description:
        'Tasks of the array. Default: from the cells that are missing, at least 10 minutes of work each, at most 64.',
    }),
    throttle: Flags.integer({ min: 1, helpValue: 'N', description: 'Tasks that run at a time. Default 16.' }),
    cpus: Flags.integer({
      min: 1,
      helpValue: 'N',
      description: 'CPUs of a task. Default: 4, or the threads of a cell where these are more.',
    }),
    time: Flags.string({ helpValue: 'H:MM:SS', description: 'Time limit of a task. Default 4:00:00.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Slurm);
    const { slurmJob } = await import('@tweedie/experiments');
    const { writeWhole } = await import('@tweedie/files');
    const { out, tasks, throttle, cpus, time } = flags;
    const job = await slurmJob({
      recipe: args.recipe,
      ...registriesOf(flags),
      overrides: overridesOf(flags),
      out,
      tasks,
      throttle,
      cpus,
      time,
    });
    const [array, merge] = [`${job.name}.sbatch`, `${job.name}.merge.sbatch`];
    const elsewhere = 'Change to a folder that can be written.';
    writeWhole(array, job.array, elsewhere);
    writeWhole(merge, job.merge, elsewhere);
    this.log(
      [
        `${job.tasks} task${job.tasks === 1 ? '' : 's'}: ${array}. Then one that merges: ${merge}. To submit both:`,
        `  job=$(sbatch --parsable ${array})`,
        `  sbatch --dependency=afterany:$job ${merge}`,
      ].join('\n'),
    );
  }
}
