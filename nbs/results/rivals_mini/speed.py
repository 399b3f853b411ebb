"How many images a second each system of the tables embeds, measured in turns: writes speed.csv beside this file. Wants a quiet machine."
import inspect
from pathlib import Path
from dpa_reid.all import *
from dpa_reid.study.rival_tables import rival_table
from dpa_reid.study.speed import embedding_speed

def network(s, size):
    "A system with random weights."
    options = dict(arch=s.arch) if s.arch else {}
    if 'size' in inspect.signature(s.net).parameters: options['size'] = size
    return s.net(160, pretrained=False, **options)

if __name__ == '__main__':
    rows = [r for t in ('1', '2 small', 'modern') for r in rival_table(t, default_recipe, 'resnet18', alike=True)]
    rows = {r.system.name: r.system for r in rows if not r.system.fits}
    first = ['baseline', *(n for n in rows if n != 'baseline')]
    speed = embedding_speed({n: network(rows[n], 64) for n in first}, size=64, rounds=9)
    print(speed.round(3))
    speed.round(4).to_csv(Path(__file__).with_name('speed.csv'))
