@retire
Feature: The source is retired
  A person's own yes is asked for, not before the drain time has passed since users were led to the dest.
  The source's data stay where they are: erasing the host is for its owner, once it is not kept any longer.
  By proxy the source is the door until now: the public name moves first, and the source's proxy is stopped once it is drained.

  Background:
    Given the source is frozen

  @gate @by_proxy
  Scenario: The public name leads to the dest without the source
    When the public name is led past the source
    Then every name server answers the dest's address

  Scenario: Nobody comes to the source any more
    Then nobody is connected to the source's public port
    And the source has not been asked for anything for the drain time

  @gate
  Scenario: The source answers nobody
    When the source's proxy is stopped for good
    Then nothing listens on the source's public port
    And the source's proxy does not start at boot

  @by_proxy
  Scenario: The dest trusts no other proxy any more
    When the dest's trust in the source's proxy is taken away
    Then the dest's proxy takes clients' addresses from nobody

  Scenario: No copy of users' data lies about
    When the dumps are removed
    Then no dump of this run lies on either host
    And nothing that the guide leaves in the hosts' temporary folder is there

  Scenario: The source may send no more files
    When the migration key is removed
    Then the migration key is on neither host

  Scenario: The verification user is deleted, unless the plan keeps it
    When the verification user is deleted on the dest
    Then the verification user is on the dest only if it is kept

  Scenario: Neither host keeps anything of this run
    When the run folders are removed for good
    Then the source keeps nothing of this run
    And the dest keeps nothing of this run
