import { Args, Command, Flags } from '@oclif/core';

/** `tweedie bench`: how fast, against what, on this machine. */
export class Bench extends Command {
  static override summary = 'Measure speed here, as ratios within one run.';
  static override description = 'mixture: DPS on a small Gaussian mixture, 1000 samples, 100 steps; with eager TensorFlow.js and, on request, PyTorch beside it.';
  static override examples = ['<%= config.bin %> bench mixture', '<%= config.bin %> bench mixture --torch ~/venv/bin/python --json'];
  static override args = { subject: Args.string({ required: true, options: ['mixture'], description: 'what to measure' }) };
  static override flags = {
    repeats: Flags.integer({ default: 7, min: 1, description: 'Timed repetitions of each contender.' }),
    torch: Flags.string({ helpValue: 'PYTHON', description: 'A Python with torch: the same in PyTorch, eager and compiled.' }),
    json: Flags.boolean({ description: 'Print one JSON object.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Bench);
    const { createContainer, openRegistry } = await import('@tweedie/core');
    const { createFiles } = await import('@tweedie/experiments');
    const { benchMixture, showMixtureBench } = await import('../bench/mixture.ts');
    const container = createContainer({ registry: openRegistry(), files: createFiles('.') });
    const result = await benchMixture(container, { repeats: flags.repeats, ...(flags.torch !== undefined && { torch: flags.torch }) });
    container.dispose();
    this.log(flags.json ? JSON.stringify(result) : showMixtureBench(result));
  }
}
