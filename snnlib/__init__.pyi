# The names that `import snnlib as sn` gives, each imported when it is first used (`snnlib/__init__.py`).

from .checks import InputError as InputError
from .conversion import convert as convert
from .conversion import convert_exact as convert_exact
from .conversion import ensemble as ensemble
from .dynamics import LIF as LIF
from .dynamics import Converted as Converted
from .dynamics import SingleStep as SingleStep
from .exact_memory import ExactMemory as ExactMemory
from .network import Spiking as Spiking
from .neurons import Neuron as Neuron
from .noise import Gaussian as Gaussian
from .noise import MaxNormalised as MaxNormalised
from .noise import Uniform as Uniform
from .own.evaluate import evaluate as evaluate
from .own.fit import fit as fit
from .own.network_file import load as load
from .own.network_file import save as save
from .replace_activations import spiking as spiking
from .surrogate import Arctan as Arctan
from .surrogate import Density as Density
from .surrogate import Rectangle as Rectangle
from .surrogate import Sigmoid as Sigmoid
from .surrogate import Triangle as Triangle

__version__: str
