"""`python -m api.warm_up`: compile every kernel now, while an image is built."""

from api.demo.person import declared_alignment
from api.kernel_cache import use_kernel_cache
from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams, Setup


def warm_up() -> None:
    """Compile the chain as a collector with both sensors runs it."""
    compile_chain(PipelineParams(), Setup(alignment=declared_alignment()))


if __name__ == "__main__":
    use_kernel_cache()
    warm_up()
