"""Links from the diagram of an estimator, as notebooks show it, to its page."""

import re


class DocLinkMixin:
    """Has scikit-learn's diagram link to our pages, each parameter to its own line.

    Classes that users derive from ours have no page, and no link.
    """

    _doc_link_module = "skdnn"
    _doc_link_template = "https://skdnn.github.io/skdnn/generated/{module}.{name}.html"

    #: Where users import the class from.
    _public_module = "skdnn"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # The link to a parameter has the words of its type. Where these go on in the
        # next line of the source there is a gap, and browsers look for that, too.
        if cls.__doc__:
            cls.__doc__ = re.sub(r"(?m)^ +\w+ : .*", _without_gaps, cls.__doc__)

    def _doc_link_url_param_generator(self):
        return {"module": self._public_module, "name": type(self).__name__}


def _without_gaps(line):
    return re.sub(r"(?<=\S) +", " ", line[0])
