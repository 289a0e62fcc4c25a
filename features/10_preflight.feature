Feature: Nothing is touched before everything is known
  Everything that the move needs is looked at, and nothing is changed.

  Scenario: Both hosts answer with the keys we pinned
    Then the source answers with a key we pinned
    And the dest answers with a key we pinned

  Scenario: The source is a v2 core
    Then the source runs a v2 core

  Scenario: The source's core, config and data are found
    Then the source core's status is running
    And the source's data are where its config says, and the public name serves them

  @rqlite
  Scenario: The platform's database is the core's own, and closed to others
    Then the platform's database on the source answers for certain, and is the core's own
    And the platform's database on the source is closed to the other host
    And the move does not open the platform's database to others

  Scenario: Both hosts have the tools this move needs
    Then the source has the tools this move needs
    And the dest has the tools this move needs
    And the dest's PostgreSQL can take what the source's writes
    And the dest has what runs the source's core

  @docker
  Scenario: The core's container can be made again on the dest
    Then the source's container outlives its stop, and holds nothing alone
    And everything that is mounted in it arrives, volumes that nobody named too
    And the dest has no container and no volume of those names

  Scenario: The clocks agree
    Then both clocks agree with ours

  Scenario: Both hosts have room
    Then there is room for what arrives on the dest, and for the dump on the source

  Scenario: The dest can keep what arrives
    Then the dest sorts texts as the source's database does
    And the dest's file system keeps what the core writes beside previews

  Scenario: The dest holds nothing that this move would overwrite
    Then nothing on the dest would be overwritten

  Scenario: No core runs on the dest
    Then no process of the dest core runs
    And nothing listens on the dest core's ports

  @systemd
  Scenario: The source's unit can be fenced and moved
    Then the source's unit can be moved as it is
    And nothing but its unit starts the source core
    And the dest knows whom the unit runs the core as

  @dokku
  Scenario: The source's app can be fenced and moved
    Then both hosts have a Dokku that can fence the app

  @git_clone
  Scenario: The source's core can be cloned
    Then the source's tree is a commit that the repository has, and nothing else

  Scenario: The dest has a certificate for the public name
    Then the dest has a certificate for the public name that is good for a week

  Scenario: The public name can move quickly
    Then every name server answers the source's address
    And the public name's answers are kept for the planned time at most

  @by_proxy
  Scenario: The source can forward to the dest
    Then the source's proxy can be led to the dest safely
    And no location of the source's proxy leads elsewhere than to the core

  Scenario: A backup of the source exists
    Then a fresh backup of the source exists
