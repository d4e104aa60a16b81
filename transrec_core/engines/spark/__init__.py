"""The same run on an Apache Spark cluster, for more than one machine can hold."""
