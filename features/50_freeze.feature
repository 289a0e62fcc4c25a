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
