Feature: Nothing is copied while users can write
  From here users wait. T_stop is written to the record when the source core has stopped.

  @gate
  Scenario: The source core is stopped
    When the source core is stopped
    Then the source core's status is stopped
    And no process of the source core runs
    And nothing listens on the source core's ports

  Scenario: The source core is fenced
    When the source core is fenced
    Then its fence is in place
    And the core's role cannot sign in to the source's database

  @probe
  Scenario: The fence holds against the usual start command
    Given the source is frozen
    When the source core's usual start command is run
    Then it is refused
    And no process of the source core runs

  @probe
  Scenario Outline: No <path> to the source's data is open
    Given the source is frozen
    When the verification user tries to write by <path>
    Then the write is refused
    And the write is nowhere in the source's data

    Examples:
      | path      |
      | API       |
      | series    |
      | websocket |
      | SQL       |

  Scenario: Users are told to come back later
    Then the public name tells users to come back later

  @rqlite
  Scenario: The platform's database was stopped whole
    Given the source is frozen
    Then the platform's database was stopped whole

  Scenario Outline: The <engine> database is measured at rest
    Given the source is frozen
    When the <engine> database is measured at rest
    Then the record holds a fingerprint of every <engine> table

    Examples:
      | engine     |
      | PostgreSQL |

  Scenario: The files are measured at rest
    Given the source is frozen
    When the data roots are measured at rest
    Then the record holds a manifest of every data root
    And the record holds what every SQLite file holds
    And every SQLite file of the source is whole

  Scenario: What was measured is sealed
    Given the source is frozen
    When the source is sealed
    Then the seal of the source is whole
