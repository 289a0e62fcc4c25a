@preseed
Feature: What can go ahead goes ahead
  Users go on working: their files are sent and read before the freeze, so that only what changed since has to follow while they wait.
  What was seen while users work proves nothing by itself: at rest every file that may have changed since is read again.

  Scenario: The data roots are on the dest before users wait
    When the data roots are sent ahead
    Then little of the data roots is still to be sent

  Scenario: What was sent ahead is known on both hosts
    When the data roots are read ahead on both hosts
    Then both hosts know the files that did not change meanwhile
