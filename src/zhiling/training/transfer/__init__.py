"""From the rows that are learnt from to those that will be met: distance, reading on, adapting."""
