#!/usr/bin/env bash
# Draws a recipe on a Slurm cluster of one node, started here for it (Debian: slurm-wlm, munge; as root), and compares
# what `tweedie merge` makes of the shards with a run in one place. Everything is in a temporary folder.
# With --requeue instead: a task meets its time limit, goes back into the queue and ends there. Slurm's limits are
# minutes, and so this takes several.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
for program in slurmctld slurmd munged sbatch; do
  command -v "$program" >/dev/null || { echo "slurm: skipped, there is no $program (apt-get install slurm-wlm munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo 'slurm: skipped, its daemons are started as root'; exit 0; }

dir=$(mktemp -d)
chmod 755 "$dir"
host=$(hostname -s)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap stop EXIT

mkdir -p "$dir"/{munge,state,spool,work}
# munged wants folders of its own that nobody else may write, and its key secret.
head -c 1024 /dev/urandom >"$dir/munge/key"
chmod 700 "$dir/munge"
chmod 400 "$dir/munge/key"
munged --foreground --force --key-file="$dir/munge/key" --socket="$dir/munge.socket" --pid-file="$dir/munge/pid" \
  --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" >"$dir/munged.out" 2>&1 &
pids+=($!)

cat >"$dir/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\n' >"$dir/cgroup.conf"
export SLURM_CONF=$dir/slurm.conf
slurmctld -D >"$dir/slurmctld.out" 2>&1 &
pids+=($!)
slurmd -D -N "$host" >"$dir/slurmd.out" 2>&1 &
pids+=($!)

for _ in $(seq 60); do
  sinfo --noheader --format=%T 2>/dev/null | grep -q idle && break
  sleep 1
done
if ! sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then
  # Some containers allow no node: that says nothing of what is tested here.
  tail -n 20 "$dir"/*.out "$dir"/slurm*.log
  echo 'slurm: skipped, a node does not come up on this machine'
  exit 0
fi
echo "slurm: $(slurmd -V), one node of $(nproc) CPUs"

requeue=0 images=6 steps=10 tasks=3 limit=0:10:00 patience=300
# Work for more than the minute that Slurm leaves a task before it warns it, in chunks of some seconds.
[ "${1:-}" = --requeue ] && requeue=1 images=240 steps=1000 tasks=1 limit=0:02:00 patience=1500
cat >"$dir/work/wells.yaml" <<RECIPE
title: Two wells
model: { id: gmm, options: { shape: [1, 2, 1], means: [[-1, 0], [1, 0]], variances: [0.1, 0.2] } }
images: { from: prior, count: $images }
operators: [identity, { id: inpaint, options: { rate: 0.5 } }]
sigmaY: 0.2
methods: [none, exact, dps]
scheduler: { id: ddpm, options: { steps: $steps } }
samples: 2
chunk: 4
RECIPE
cd "$dir/work"
# A link, so that npx finds the command in this folder as it does where Tweedie is installed.
ln -s "$root/node_modules" node_modules
npx tweedie compare wells.yaml --out plain --json >plain.json 2>/dev/null
npx tweedie slurm wells.yaml --out run --tasks "$tasks" --cpus 1 --time "$limit"
# Every start of a task says so.
sed -i 's|^work=\$!|echo "slurm: start $(date +%T)"; work=$!|' wells.sbatch
job=$(sbatch --parsable wells.sbatch)
last=$(sbatch --parsable --dependency="afterany:$job" wells.merge.sbatch)
for _ in $(seq "$patience"); do
  [ -z "$(squeue --noheader)" ] && break
  sleep 1
done
squeue
scontrol --oneliner show job "$last" | grep -o 'JobState=[A-Z]*' | head -n 1
if [ "$requeue" = 1 ]; then
  grep -hE '^(Stopping|Error: Stopped|sampling .* are there already)' wells-"$job"_*.log || true
  # Slurm forgets a job some minutes after its end, so its starts are counted in the log of the task.
  starts=$(grep -c '^slurm: start ' wells-"$job"_0.log)
  [ "$starts" -ge 2 ] || { echo 'slurm: the task was not put back into the queue'; exit 1; }
  echo "slurm: started $starts times"
fi
tail -n 3 wells-merge-"$last".log
npx tweedie merge run-shard-*-of-"$tasks" --out run --json >merged.json 2>/dev/null
node -e '
  const [plain, merged] = ["plain.json", "merged.json"].map((file) => JSON.parse(require("fs").readFileSync(file)));
  const { deepStrictEqual } = require("assert");
  for (const part of ["rows", "misfit", "distances", "failures", "outcome"]) deepStrictEqual(merged[part], plain[part]);
  const samples = Number(process.argv[1]);
  deepStrictEqual([merged.missing, merged.samples], [0, samples]);
  console.log(`slurm: ${process.argv[2]} shards merged to the table of a run in one place, ${samples} samples`);
' $((12 * images)) "$tasks"
