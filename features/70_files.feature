Feature: Every file arrives, unchanged
  Users' attachments, audit logs and local databases lie in the data roots that the core's config names.
  Nothing here trusts that a file opens: a SQLite file without its -wal opens, passes its own check, and has lost its newest rows.

  Background:
    Given the source is frozen

  Scenario: The data roots arrive unchanged
    Given the dest core has not been started on these data
    When the data roots are transferred
    Then every data root has the same manifest on both hosts

  Scenario: Every file belongs to the core
    Then every file on the dest belongs to the core

  @repeat
  Scenario: A second transfer moves nothing
    Given the dest core has not been started on these data
    When the data roots are transferred again
    Then nothing was moved

  Scenario: Every SQLite file is whole
    Given the dest core has not been started on these data
    Then every SQLite file on the dest holds what was measured at rest

  Scenario Outline: No folder belongs to a user that does not exist
    Then every user's folder on the dest belongs to a user of the <engine> database

    Examples:
      | engine     |
      | PostgreSQL |

  @rqlite
  Scenario: The platform's rows arrive unchanged
    Given the dest core has not been started on these data
    Then the platform's rows are the same on both hosts

  @raft_address
  Scenario: The platform's database will find itself at the dest's address
    Given the dest core has not been started on these data
    When the platform's stored address is made the dest's
    Then the platform's database will start at the dest's address
