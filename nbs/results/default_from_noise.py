"""The other parent of the library's own network: the same drawings and recipe from random weights. Compared on photographs.

    python nbs/results/default_from_noise.py PHOTOGRAPHS OUT

draws what `make_default` draws, trains (both continue where they were interrupted), and writes OUT/default_from_noise.csv.
PHOTOGRAPHS is the folder with gantry181 and rear200.
"""
import sys
from pathlib import Path
from dpa_reid.all import *
from dpa_reid.data.images import open_images
from dpa_reid.use.default_network import compare_networks, default_network_recipe, draw_training_set, photo_halves

def train_from_noise(folder, data, arch='tf_efficientnet_lite0', seed=0):
    "As `train_default`, from random weights."
    recipe = default_network_recipe.replace(name='default_from_noise')
    run = Run(folder, dict(arch=arch, seed=seed, **recipe.to_dict()))
    run.begin()
    return train_run(run, open_images(data), arch, None, recipe, seed=seed, eval_every=recipe.epochs)

if __name__ == '__main__':
    photographs, out = map(Path, sys.argv[1:])
    data = draw_training_set(out/'drawings', n_workers=1)
    train_from_noise(out/'from_noise', data)
    def read(name): return read_manifest(photographs/name/'labels.csv')
    drawn = read_manifest(data)
    sets = {'gantry181, unseen half': photo_halves(read('gantry181'))[1], 'rear200': read('rear200'),
            'unseen drawings': drawn[drawn.split != 'train'].reset_index(drop=True)}
    networks = {'default': Embedder(progress=False),
                'drawings from noise': Embedder.load(out/'from_noise', progress=False, cache=None)}
    table = compare_networks(sets, networks)
    with atomic_path(out/'default_from_noise.csv') as tmp: table.round(5).to_csv(tmp, index=False)
    print(table)
