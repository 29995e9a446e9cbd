"""What would be submitted to a SLURM cluster: a master, and an array of workers.

Nothing is: no SLURM is needed to look at the scripts.

python examples/slurm_dry_run.py --workers 16
"""

import argparse
import subprocess
import sys
from pathlib import Path

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--space", default="nes_cartpole")
flags.add_argument("--workers", default="16")
flags.add_argument("--run", default="results/dry-run")
args = flags.parse_args()

launch = ["-m", "se_hpo.slurm", "--space", args.space, "--n-workers", args.workers]
code = subprocess.call([sys.executable, *launch, "--run", args.run, "--dry-run"])
if code == 0:
    for script in sorted(Path(args.run, "slurm").glob("*.sbatch")):
        lines = script.read_text().splitlines()
        print(script, *(line for line in lines if line.startswith("#SBATCH")), sep="\n")
sys.exit(code)
