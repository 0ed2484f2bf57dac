// Runs the command in a process of its own, and sees that it ends soon after Ctrl-C. Reading weights, compiling, measures
// and a report hold up the thread on which the other process would hear of it, for seconds or minutes; this one does
// nothing else. What is stored is stored whole, so that the other one may be ended at any moment.
import { spawn } from 'node:child_process';

/** Milliseconds that it has to end by itself. */
const PATIENCE = 350;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Gives the exit code of the command: 130 where it was stopped. */
export const supervise = () =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, TWEEDIE_SUPERVISOR: String(process.pid) },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    let [asked, howToResume] = [false, ''];
    const end = () => child.kill('SIGKILL');
    const stop = () => {
      if (asked) return end();
      asked = true;
      process.stderr.write('Stopping. Press Ctrl-C again to end at once.\n');
      if (child.connected) child.send('stop', () => undefined);
      setTimeout(end, PATIENCE);
    };
    for (const signal of signals) process.on(signal, stop);
    // A terminal that has closed takes no more words.
    process.stderr.on('error', () => undefined);
    // The command says which line goes on with it.
    child.on('message', (text) => (howToResume = String(text)));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, stop);
      if (asked && code !== 0) {
        // A progress bar may have hidden the cursor.
        if (process.stderr.isTTY) process.stderr.write('\u001b[?25h');
        process.stderr.write(`Error: Stopped. What had finished is kept.\n${howToResume}`, () => process.exit(130));
        return;
      }
      if (signal === null) resolve(code);
      else process.kill(process.pid, signal);
    });
  });
