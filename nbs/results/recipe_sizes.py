"""Holds the recipe that `dpa_train` takes without a name against the untrained body, on drawn sets of several sizes.

    python nbs/results/recipe_sizes.py OUT [IMAGES [SEEDS [START]]]

draws a set for each number of training images (`500,1000,5000`), trains EfficientNet-Lite0 with DpA on it from each start
(`imagenet,none`) with each seed (`0,1,2`) by the plain command, and writes a row for each finished training to OUT/recipe_sizes.csv.
Given again, it continues. The 600 test images are of 60 vehicles that no training has seen.
"""
import itertools, json, sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.cli.models import dpa_train

def drawn(out, images):
    "A set with so many training images, ten of each vehicle, and its folder."
    folder, n = out/f'drawings_{images}', images//10
    synth_uav(folder, n_ids=n + 60, n_imgs=10, train_frac=n/(n + 60), seed=images, masks=False, progress=False)
    return folder

def train(data, run, start, seed):
    "What `dpa_train --data ... --arch tf_efficientnet_lite0` does, with a start and a seed."
    dpa_train(data=data/'labels.csv', out=run, arch='tf_efficientnet_lite0', init=start, seed=seed)

def row(run, **about):
    "Scores before and after a training, and their paired difference in mAP with its interval."
    scores = json.loads((run/'scores.json').read_text())
    mAP = scores['untrained']['comparison']['scores']['mAP']
    return dict(**about, untrained=mAP['a'], mAP=mAP['b'], low=mAP['low'], high=mAP['high'], seconds=scores['seconds'],
                torch=scores['versions']['torch'])

def save(rows, file):
    "Writes the table under a temporary name and renames it."
    with atomic_path(file) as tmp: pd.DataFrame(rows).round(4).to_csv(tmp, index=False)

if __name__ == '__main__':
    out, given = Path(sys.argv[1]), sys.argv[2:]
    given += ['500,1000,5000', '0,1,2', 'imagenet,none'][len(given):]
    images, seeds, starts = (a.split(',') for a in given)
    out.mkdir(parents=True, exist_ok=True)
    for seed, n, start in itertools.product(map(int, seeds), map(int, images), starts):
        train(drawn(out, n), out/f'{n}_{start}_{seed}', start, seed)
    done = sorted(out.glob('*_*_*/scores.json'))
    about = [dict(zip(('images', 'start', 'seed'), f.parent.name.split('_'))) for f in done]
    save([row(f.parent, **a) for f, a in zip(done, about)], out/'recipe_sizes.csv')
