"""Links from the diagram of an estimator, as notebooks show it, to its page."""


class DocLinkMixin:
    """Has scikit-learn's diagram link to our pages, each parameter to its own line.

    Classes that users derive from ours have no page, and no link.
    """

    _doc_link_module = "skdnn"
    _doc_link_template = "https://skdnn.github.io/skdnn/generated/{module}.{name}.html"

    #: Where users import the class from.
    _public_module = "skdnn"

    def _doc_link_url_param_generator(self):
        return {"module": self._public_module, "name": type(self).__name__}
