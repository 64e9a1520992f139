"""`make citus-test`: Millrace on a Citus cluster on loopback, whose nodes are killed."""
