"""One half of the vehicles of gantry181 to train, the other to test: writes data/gantry181_halves.csv. Give the data set's folder."""
import sys
from pathlib import Path
import pandas as pd
from dpa_reid.all import *
from dpa_reid.use.default_network import photo_halves

if __name__ == '__main__':
    first, second = photo_halves(read_manifest(Path(sys.argv[1]).resolve()/'labels.csv'))
    Path('data').mkdir(exist_ok=True)
    pd.concat([first.assign(split='train'), second]).to_csv('data/gantry181_halves.csv', index=False)
