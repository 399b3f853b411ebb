"""Baseline and DpA on damaged queries: writes robustness.csv beside this file.

Needs the runs of Table 3 in models/mini and the images in data/mini. The file committed dates from when the chance in a
disturbance depended on the name of an image; by now it depends on its bytes, so a new run gives slightly other figures.
"""
import sys
from pathlib import Path
from dpa_reid.all import *
from dpa_reid.data.images import open_images

if __name__ == '__main__':
    runs, pack, start, seeds = *sys.argv[1:4], int(sys.argv[4])   # models/mini data/mini_64.pt models/starts/resnet18 3
    images = open_images(pack)
    recipe = scratch_recipe.replace(size=64, epochs=5, warmup=0, warmup_iters=30)
    study = Study(runs, images.df, recipe, 'resnet18', weights=start, load_image=images.load_image,
                  checksum=images.checksum())
    rows = [paper_tables['3'][n] for n in ('Baseline', 'DpA')]
    study.robustness(rows, range(seeds)).round(6).to_csv(Path(__file__).with_name('robustness.csv'), index=False)
