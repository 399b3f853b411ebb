"What a training step of each row of Table 5 costs, timed side by side: writes speed.csv beside this file. Wants a quiet machine."
from pathlib import Path
from dpa_reid.all import *

if __name__ == '__main__':
    speed = step_speed(paper_tables['5'], scratch_recipe.replace(size=64), 'resnet18', n_ids=160, rounds=12)
    print(speed.round(3))
    speed.round(5).to_csv(Path(__file__).with_name('speed.csv'))
