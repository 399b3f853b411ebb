"""Single changes of the recipe for few images, on gantry181: the scores of nbs/results/few_changes.csv.

    python nbs/results/few_changes.py GANTRY181 OUT [NAMES]

trains each change, or those in NAMES (divided by semicolons), under three seeds, and puts its rows in place of those that
were there. What is finished in OUT is not done again: take another folder for other code, since rows of one table should
come from one. `with drawings` has four times as many images and, at the same epochs, iterations.
"""
import sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.models.folder import default_model
from dpa_reid.study.ablation import Study
from dpa_reid.study.rows import AblationRow
from dpa_reid.train.distillation import Distillation
from dpa_reid.use.default_network import drawing

recipe = few_recipe.replace(size=96, pad=8)
changes = {'few': {}, 'frozen start': dict(freeze=5), 'AugMix': dict(augmix=1.), 'average of weights': dict(ema=.98)}

def more_images(folder):
    "720 drawings of 120 vehicles, with identities and cameras of their own."
    synth_uav(folder, seed=201, train_frac=1., **drawing)
    df = read_manifest(folder/'labels.csv')
    df = df[df.pid.isin(sorted(df.pid.unique())[:120])].groupby('pid').head(6)
    return df.assign(pid='drawn' + df.pid.astype(str), camid=df.camid + 100, split='train')

def studies(photographs, out, seed):
    "Name of a change -> the study it belongs to, its row and whether the library's own network teaches it."
    roles = held_out(1/3, seed=seed).split(read_manifest(photographs/'labels.csv').assign(split='train')).df
    def study(name, df=roles, **kwargs): return Study(out/f'{name}{seed}', df, recipe, 'tf_efficientnet_lite0', **kwargs)
    few, own = AblationRow('few'), dict(weights=default_model)
    found = {k: (study('photographs'), AblationRow(k, recipe=v), False) for k, v in changes.items()}
    return found | {
        'from the own network': (study('own', **own), few, False),
        'taught by the own network': (study('taught'), few, True),
        'from the own network, taught by it': (study('own_taught', **own), few, True),
        'with drawings': (study('drawings', pd.concat([roles, more_images(out/'drawn')], ignore_index=True)), few, False)}

def scores(study, row, is_taught, seed):
    "The queries' scores of a run, which is trained unless it is finished."
    run = study.run(row, seed)
    if not run.is_finished: study.train_run(row, seed, [Distillation(default_model)] if is_taught else [])
    return pd.read_csv(run.folder/'queries.csv', dtype=dict(pid=str))

if __name__ == '__main__':
    photographs, out, given = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    file, columns = Path('nbs/results/few_changes.csv'), ['change', 'seed', 'query', 'pid', 'ap', 'inp', 'first']
    for seed in range(3):
        all_studies = studies(photographs, out, seed)
        for name in given[0].split(';') if given else all_studies:
            found = scores(*all_studies[name], seed).assign(change=name, seed=seed)[columns]
            old = pd.read_csv(file, dtype=dict(pid=str))
            others = old[(old.change != name) | (old.seed != seed)]
            with atomic_path(file) as tmp: pd.concat([others, found]).to_csv(tmp, index=False)
