"""Which drawings teach most about photographs? The scores of nbs/results/drawing_styles.csv.

    python nbs/results/drawing_styles.py PHOTOGRAPHS OUT [NAMES [SEEDS]]

trains EfficientNet-Lite0 for 90 iterations on each of several sets of 1,920 drawings of 160 vehicles (all of them, or those
in NAMES, divided by semicolons) with each seed (`0,1,2`), and scores each network on the half of gantry181 for choices, for
this is one, and on the test images of mini. PHOTOGRAPHS is the folder with gantry181. What is finished in OUT is not done
again; OUT/drawing_styles.csv is written after each training.
"""
import sys
from functools import partial
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.study.ablation import Study
from dpa_reid.study.rows import AblationRow
from dpa_reid.synth.benchmarks import draw_benchmark
from dpa_reid.synth.corruptions import corruptions, compress, downscale, fog, low_light, motion_blur, rain
from dpa_reid.use.default_network import photo_halves
from sim_to_real import score_rows

recipe = default_recipe.replace(epochs=3, warmup=.5)
style = dict(n_ids=160, n_imgs=12, n_cams=4, size=128, seed=401, train_frac=1., altitude=(20., 150.), masks=False)

def benchmark(name, folder):
    "As many training images of a benchmark as the other sets have, and all of its test images."
    draw_benchmark(name, folder/name, progress=False)
    df = read_manifest(folder/name/'labels.csv')
    train = df[df.split == 'train']
    first = train[train.pid.isin(sorted(train.pid.unique())[:style['n_ids']])].groupby('pid').head(style['n_imgs'])
    return pd.concat([first, df[df.split != 'train']], ignore_index=True)

def drawn(name, folder, **changes):
    "Drawings of 160 vehicles in another style."
    synth_uav(folder/name, progress=False, **style | changes)
    return read_manifest(folder/name/'labels.csv')

def damaged(name, folder, kinds, seed=0):
    "The training images of mini, half of them damaged in one of several ways, at severity 1 or 2."
    df = benchmark('mini', folder)
    rows = df.index[df.split == 'train']
    rows = rng_for(seed, 'damaged drawings').permutation(rows)[:len(rows)//2]
    for k, kind in enumerate(kinds):
        for severity in (1, 2):
            some = rows[2*k + severity - 1::2*len(kinds)]
            df.loc[some, 'path'] = corrupt_manifest(df.loc[some], folder/name, kind, severity, splits=('train',)).path
    return df

sets = {'mini': partial(benchmark, 'mini'),
        'mini, random weights': partial(benchmark, 'mini'),
        'part of veri_uav': partial(benchmark, 'veri_uav'),
        'other vehicles': partial(drawn, 'plain'),
        'lower flight': partial(drawn, 'low', altitude=(10., 50.)),
        'flatter views': partial(drawn, 'flat', pitch=(30., 50.)),
        'nobody alike': partial(drawn, 'unlike', n_alike=1),
        'twelve cameras': partial(drawn, 'cameras', n_cams=12),
        'weather': partial(damaged, 'weather', kinds=(fog, rain, low_light)),
        'bad cameras': partial(damaged, 'cameras_damaged', kinds=(motion_blur, compress, downscale)),
        'all corruptions': partial(damaged, 'all_damaged', kinds=corruptions)}

def trained(name, df, out, seed):
    "The folder of the finished training of a set and seed."
    test = read_manifest(out/'drawings'/'mini'/'labels.csv')
    df = pd.concat([df[df.split == 'train'], test[test.split != 'train']], ignore_index=True)
    study = Study(out/name.replace(' ', '_').replace(',', ''), df, recipe, 'tf_efficientnet_lite0',
                  pretrained='random' not in name)
    row = AblationRow(name)
    study.train([row], (seed,))
    return study.run(row, seed).folder

if __name__ == '__main__':
    photographs, out, given = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    names = given[0].split(';') if given and given[0] else list(sets)
    seeds = map(int, given[1].split(',')) if len(given) > 1 else range(3)
    mini = benchmark('mini', out/'drawings')
    photos = {'gantry181, half for choices': photo_halves(read_manifest(photographs/'gantry181'/'labels.csv'))[0],
              'test images of mini': mini[mini.split != 'train'].reset_index(drop=True)}
    file = out/'drawing_styles.csv'
    for seed in seeds:
        for name in names:
            done = pd.read_csv(file) if file.exists() else pd.DataFrame(dict(network=[], seed=[])).astype(dict(seed=int))
            if ((done.network == name) & (done.seed == seed)).any(): continue
            run = trained(name, sets[name](out/'drawings'), out, seed)
            rows = score_rows(photos, name, seed, Embedder.load(run, progress=False, cache=None))
            with atomic_path(file) as tmp: pd.concat([done, pd.DataFrame(rows)]).to_csv(tmp, index=False)
