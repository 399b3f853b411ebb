"The scores of nbs/results/few_changes.csv: single changes of the recipe for few images on gantry181. Give its folder, and one for the runs."
import sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.models.folder import default_model
from dpa_reid.study.ablation import Study
from dpa_reid.study.rows import AblationRow
from dpa_reid.use.default_network import drawing

recipe = few_recipe.replace(size=96, pad=8)
changes = {'few': {}, 'frozen start': dict(freeze=5), 'backbone rate x .1': dict(body_lr=.1), 'AugMix': dict(augmix=1.),
           'no erasing': dict(erase=0.), 'average of weights': dict(ema=.98), 'half the rate': dict(lr=5e-4)}

def more_images(folder):
    "720 drawings of 120 vehicles, with identities and cameras of their own."
    synth_uav(folder, seed=201, train_frac=1., **drawing)
    df = read_manifest(folder/'labels.csv')
    df = df[df.pid.isin(sorted(df.pid.unique())[:120])].groupby('pid').head(6)
    return df.assign(pid='drawn' + df.pid.astype(str), camid=df.camid + 100, split='train')

def studies(photographs, out, seed):
    "Name of a change, the study it belongs to and its row."
    roles = held_out(1/3, seed=seed).split(read_manifest(photographs/'labels.csv').assign(split='train')).df
    def study(name, df=roles, **kwargs): return Study(out/f'{name}{seed}', df, recipe, 'tf_efficientnet_lite0', **kwargs)
    for name, settings in changes.items(): yield name, study('photographs'), AblationRow(name, recipe=settings)
    yield 'from the own network', study('own', weights=default_model), AblationRow('few')
    both = pd.concat([roles, more_images(out/'drawn')], ignore_index=True)
    yield 'with drawings', study('drawings', both), AblationRow('few')

if __name__ == '__main__':
    photographs, out, found = Path(sys.argv[1]), Path(sys.argv[2]), []
    for seed in range(3):
        for name, study, row in studies(photographs, out, seed):
            study.train([row], (seed,))
            scores = pd.read_csv(study.run(row, seed).folder/'queries.csv', dtype=dict(pid=str))
            found.append(scores.assign(change=name, seed=seed))
    columns = ['change', 'seed', 'query', 'pid', 'ap', 'inp', 'first']
    pd.concat(found)[columns].to_csv('nbs/results/few_changes.csv', index=False)
