"""A Spark session: of this computer, of a cluster, or of a Spark Connect server."""

import os
import shutil
import sys
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

from transrec_core.errors import BadSettingError
from transrec_core.system import processor_count

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOOPBACK = "127.0.0.1"
BATCH_ROWS = 20_000
"""Users that a worker sees at a time."""


def open_session(master: str | None = None) -> "SparkSession":
    """Start or join a session.

    Parameters
    ----------
    master
        ``local[2]``, ``spark://host:7077``, ``yarn``, … as Spark takes it, or the address of a
        Spark Connect server, ``sc://host:15002``; ``None`` takes that of ``spark-submit``, else
        this computer with all its cores.

    Raises
    ------
    BadSettingError
        PySpark or Java is missing, or the master cannot be reached.
    """
    if find_spec("pyspark") is None:
        raise BadSettingError(
            "PySpark is not installed.", "Install it with: pip install 'transrec[spark]'."
        )
    remote = master is not None and master.startswith("sc://")
    if not remote and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise BadSettingError(
            "Spark needs Java, and there is none here.",
            "Install a Java runtime of version 17, such as openjdk-17-jre-headless.",
        )
    # Data moves as Arrow tables here, which no version of pandas has a part in.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("transrec")
    if remote:
        if find_spec("grpc") is None:
            raise BadSettingError(
                "A Spark Connect server needs gRPC, which is not installed.",
                "Install it with: pip install 'transrec[spark]'.",
            )
        builder = builder.remote(str(master))
    else:
        if master is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
            master = "local[*]"
        if master is not None:
            builder = builder.master(master)
        if master is not None and master.startswith("local"):
            # Nothing of a session on this computer is for others.
            os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
            os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            for key, value in (
                ("spark.driver.bindAddress", LOOPBACK),
                ("spark.driver.host", LOOPBACK),
                ("spark.ui.enabled", "false"),
                ("spark.ui.showConsoleProgress", "false"),
                ("spark.executorEnv.NUMBA_NUM_THREADS", "1"),
                ("spark.sql.shuffle.partitions", str(2 * processor_count())),
            ):
                builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH_ROWS))
    except (PySparkException, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BadSettingError(
            f"There is no Spark at {master or 'the master of spark-submit'}: {reason}",
            "Check --master, and that the cluster can be reached from here.",
        ) from None
    if not remote:
        session.sparkContext.setLogLevel("ERROR")
    return session


def running() -> "SparkSession | None":
    """A session that somebody else has started in this process; it is theirs to stop."""
    if find_spec("pyspark") is None:
        return None
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()
