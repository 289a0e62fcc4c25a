Feature: A restored database equals its source
  The guide dumps on the source, copies, and restores into an empty database on the dest.
  Nothing here trusts an exit code: a dump is listed, a copy is compared, a restore is measured.

  Background:
    Given the source is frozen

  Rule: What was measured at rest is what arrives

    Scenario Outline: The <engine> dump is complete
      When the <engine> database is dumped
      Then the <engine> dump holds everything that was measured at rest

      Examples:
        | engine     |
        | PostgreSQL |

    Scenario Outline: The <engine> dump is the same on both hosts
      When the <engine> dump is transferred
      Then the <engine> dump is the same on both hosts

      Examples:
        | engine     |
        | PostgreSQL |

    Scenario Outline: The <engine> database arrives unchanged
      Given the dest core has not been started on these data
      When the <engine> dump is restored
      Then the <engine> fingerprints are equal
      And the core may use everything in its <engine> database

      Examples:
        | engine     |
        | PostgreSQL |

    Scenario Outline: The <engine> database is ready for users
      When the <engine> planner's statistics are gathered
      Then every <engine> table with rows has statistics

      Examples:
        | engine     |
        | PostgreSQL |
