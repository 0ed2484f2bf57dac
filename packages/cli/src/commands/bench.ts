import { Args, Command, Flags } from '@oclif/core';

/** `tweedie bench`: how fast, against what, on this machine. */
export class Bench extends Command {
  static override summary = 'Measure speed here, as ratios within one run.';
  static override description = `mixture: DPS on a small Gaussian mixture, 1000 samples, 100 steps; eager TensorFlow.js and, on request, PyTorch beside it.
start: how long the command takes to start.`;
  static override examples = ['<%= config.bin %> bench mixture', '<%= config.bin %> bench mixture --torch ~/venv/bin/python --json', '<%= config.bin %> bench start'];
  static override args = { subject: Args.string({ required: true, options: ['mixture', 'start'], description: 'what to measure' }) };
  static override flags = {
    repeats: Flags.integer({ default: 7, min: 1, description: 'Timed repetitions of each contender.' }),
    torch: Flags.string({ helpValue: 'PYTHON', description: 'A Python with torch: the same in PyTorch, eager and compiled.' }),
    json: Flags.boolean({ description: 'Print one JSON object.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Bench);
    if (args.subject === 'start') {
      const { benchStart, showStartBench } = await import('../bench/start.ts');
      const result = benchStart(flags);
      this.log(flags.json ? JSON.stringify(result) : showStartBench(result));
      return;
    }
    const { createContainer, openRegistry } = await import('@tweedie/core');
    const { createFiles } = await import('@tweedie/experiments');
    const { benchMixture, showMixtureBench } = await import('../bench/mixture.ts');
    const container = createContainer({ registry: openRegistry(), files: createFiles('.') });
    const result = await benchMixture(container, { repeats: flags.repeats, ...(flags.torch !== undefined && { torch: flags.torch }) });
    container.dispose();
    this.log(flags.json ? JSON.stringify(result) : showMixtureBench(result));
  }
}
