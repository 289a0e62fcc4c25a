Feature: The dest is ready to receive
  The same core, an empty database, and a way for files to get here.

  Scenario: The source may send files to the dest, and nothing else
    When the source's migration key is authorised on the dest
    Then the key may send files of this move to the dest, and nothing else

  Scenario: The dest has the source's core version
    When the source's core is installed on the dest
    Then the dest has the source's core, file by file
    And no process of the dest core runs

  @systemd
  Scenario: The dest has the source's unit
    When the source's unit is installed on the dest
    Then the dest's unit is the source's, but for the planned changes

  @docker
  Scenario: The dest has the source's container, not started
    When the core's container is made on the dest
    Then the dest's container is the source's, but for the planned changes
    And no process of the dest core runs

  @dokku
  Scenario: The dest has the source's app
    Then the dest's app has the source's image, mounts and variables, but for the planned changes

  @rqlite
  Scenario: The dest has the program of the source's platform database
    Then both hosts have the same program for the platform's database

  Scenario Outline: The <engine> database on the dest is empty and the core's own
    When the <engine> database is prepared on the dest
    Then the <engine> database on the dest is empty and the core's own

    Examples:
      | engine     |
      | PostgreSQL |
