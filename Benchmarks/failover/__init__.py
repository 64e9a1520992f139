"""`make failover-test`: a daemon on a cluster of Patroni's, whose leader is killed again and again."""
